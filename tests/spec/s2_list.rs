//! §2: the list and its refresh.
