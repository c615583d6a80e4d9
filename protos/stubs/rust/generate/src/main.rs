//! Generates the Rust stubs from a set of descriptors, which needs no protoc: generate SET DIRECTORY.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().collect();
    let set = prost_types::FileDescriptorSet::decode(&*std::fs::read(&words[1])?)?;
    tonic_prost_build::configure().build_server(false).out_dir(&words[2]).compile_fds(set)?;
    Ok(())
}
