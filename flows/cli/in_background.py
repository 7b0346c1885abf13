"""A command in a process of its own that SIGINT ends as Ctrl-C does, also where the page was started in the background.

Shells have background processes ignore SIGINT, and what these start inherits that.
"""

import signal

from flows.cli.main import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
