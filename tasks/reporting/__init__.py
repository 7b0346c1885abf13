"""What people see of a run: progress, the summary table, Prefect's artifacts; and delivery of what was made."""
