//! Black-box tests of the serverless shape, deployed on an emulator: see `tests/it`.
