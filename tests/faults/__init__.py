"""Injected faults: files, disks and processes that fail."""
