//! Rotates a folder's master key until it is killed, and says each time that it did: the child of the crash test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::path::PathBuf;

use waxwing_conformance::SeededEntropy;
use waxwing_embedded::rotate_master_key;

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from).expect("the folder as an argument");
    // Each child draws other bytes: a repeated nonce would be a fault of the test.
    let entropy = SeededEntropy::new(u64::from(std::process::id()) << 32);
    loop {
        let rotated = rotate_master_key(&folder, &entropy).unwrap();
        println!("rotated {}", rotated.data_keys);
    }
}
