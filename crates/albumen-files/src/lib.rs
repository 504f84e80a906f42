//! Files that are whole or not there, files that only their owner may read, and their hashes.
//!
//! What is unfinished is called `NAME.part` and lies beside its place, so a rename finishes it, and
//! whoever comes after a killed process knows what was left behind. A function returns when the file
//! and its name are on the disk: a power cut then takes nothing back.
//!
//! One process at a time may write to a path. Albumen's run directories and caches hold a lock for
//! that.

mod error;
mod hash;
mod part;
mod private;
mod whole;

pub use error::{FileError, Result};
pub use hash::{Hasher, sha256_hex, sha256_of_file};
pub use part::{Part, part_of, remove_leftover};
pub use private::{append_private, create_private, make_private_dir, write_private};
pub use whole::{sync_dir, sync_parent, write_whole, write_whole_with};
