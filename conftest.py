"""Makes the plugin available to a checkout that was not installed; installed, its entry point has this name too.

``pytester`` runs pytest inside the tests of the plugin; pytest allows naming it only here.
"""

pytest_plugins = ("harness.plugin", "pytester")
