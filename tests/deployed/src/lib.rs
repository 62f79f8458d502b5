//! The serverless shape, deployed on an emulator of AWS: what its black-box tests (`tests/it`) and the count of its costs
//! share.

pub mod cost;
pub mod emulator;
pub mod logs;
pub mod meter;
mod processes;
pub mod proxy;
pub mod stack;
