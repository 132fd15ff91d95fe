"""What operators do with the outside: settings, connections, the store, the catalog, launchers."""
