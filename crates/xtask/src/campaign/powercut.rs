//! Power cuts on recorded write streams.
