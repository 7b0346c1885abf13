"""The `maskflow` command: the flows as commands, and commands of their own."""
