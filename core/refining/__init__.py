"""Refining instance-id maps: masks matched with ids, composed into a new map, and compared with the old one."""
