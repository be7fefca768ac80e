pytest_plugins = ["paced", "flash"]
