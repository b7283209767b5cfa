//! §5: streams.
