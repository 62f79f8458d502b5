//! Black-box tests: template.yaml with the real functions, a real session host and the sandbox, over HTTP.

mod kill;
mod stack;
mod walk;
