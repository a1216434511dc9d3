//! Settings: type, default, doc and check defined once; all problems reported at once.
