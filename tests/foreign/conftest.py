pytest_plugins = ["paced"]
