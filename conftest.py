"""Makes the plugin available to a checkout that was not installed; installed, its entry point has this name too."""

pytest_plugins = ("harness.plugin",)
