//! Locks on files, held while a guard lives. (filled by the store)
