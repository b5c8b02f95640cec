# Nothing of this module is for Python: `_codec` is the face of all codecs.
