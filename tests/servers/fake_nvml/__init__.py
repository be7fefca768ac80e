"""A folder for the path of a process that is to find a fake `pynvml`."""
