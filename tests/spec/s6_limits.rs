//! §6: limits of size, depth and time.
