"""Who may use which device: slots, their locks and limits, and the worker process behind each slot."""
