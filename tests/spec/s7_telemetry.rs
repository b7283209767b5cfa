//! §7: log lines and metrics.
