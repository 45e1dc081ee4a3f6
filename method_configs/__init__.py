"""Registered nerfstudio methods; imported as `sparseags_ns.method_configs`."""
