//! Black-box tests: template.yaml with the real functions, a real session host and the sandbox, over HTTP.

mod accept;
mod faults;
mod kill;
mod mail;
mod records;
mod shared;
mod walk;
