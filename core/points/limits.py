"""How many points a tracker can take at once."""

# Points by tracker and GiB of free GPU memory; the lower end of what the trackers' users recommend.
_TABLE = {
    "mvtracker": {8: 1500, 16: 3000, 24: 5000},
    "spatialtrackerv2": {8: 2500, 16: 5000, 24: 8000},
    "cotracker3_offline": {8: 1500, 16: 3000, 24: 5000},
    "cotracker3_online": {8: 1500, 16: 3000, 24: 5000},
}
_NEARLY = 0.9  # what the driver leaves of a GPU's nominal size, and a little
_WITHOUT_GPU = 1000
_ON_THEIR_OWN = 20_000


def points_at_once(tracker: str, free_gib: float | None) -> int:
    """The batch size that `auto` stands for.

    Args:
        tracker: its name.
        free_gib: memory free on the GPU with the least; None: there is none.

    Returns:
        Between rows of the table the lower one; above it, in proportion, in steps of 24 GiB. A GPU of which nearly all
        is free has its own row.
    """
    table = _TABLE.get(tracker)
    if table is None:
        return _ON_THEIR_OWN
    if free_gib is None:
        return _WITHOUT_GPU
    largest = max(table)
    free_gib /= _NEARLY
    if free_gib >= largest:
        return table[largest] * int(free_gib // largest)
    fitting = [size for size in table if size <= free_gib]
    return table[max(fitting)] if fitting else table[min(table)] // 2
