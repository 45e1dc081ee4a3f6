"""The methods this package adds to nerfstudio, imported as `sparseags_ns.method_configs`."""
