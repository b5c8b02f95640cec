# Nothing of this module is for Python; its .pxd shows what the engine runs.
