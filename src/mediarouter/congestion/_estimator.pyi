# Nothing of this module is for Python; `_send_side` is.
