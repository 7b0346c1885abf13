"""This host's device slots."""

from prefect.client.orchestration import get_client
from prefect.context import refresh_global_settings_context
from rich.table import Table

from flows.cli.console import open_console
from tasks.devices.limits import register_limits
from tasks.devices.lock import try_lock
from tasks.devices.slots import plan_slots
from tasks.server.temporary import ensure_server


def devices() -> int:
    """Show this host's device slots, who holds them, and their Prefect limits; registers limits that are missing."""
    slots = plan_slots(None, None)
    console = open_console()
    with open_console(stderr=True).status("Starting Prefect …"):
        server = ensure_server()
        refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        register_limits(client, slots)
        table = Table("slot", "device", "state", "Prefect limit", "in use")
        for slot in slots:
            lock = try_lock(slot.name)
            if lock is not None:
                lock.release()
            limit = client.read_global_concurrency_limit_by_name(slot.limit)
            state = "free" if lock is not None else "busy"
            table.add_row(slot.name, slot.device, state, slot.limit, f"{limit.active_slots} of {limit.limit}")
    console.print(table)
    console.print(server, style="dim", soft_wrap=True)
    return 0
