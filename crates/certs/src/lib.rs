//! Our certificates: the demo's own CA, reading certificate files, choosing by name.
