//! §4: choosing, attempts, cooldowns.
