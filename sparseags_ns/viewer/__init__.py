"""The web viewer under ns-train, ns-viewer and `sparseags view`."""
