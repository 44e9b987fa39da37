//! Compiles `billwatch/v1/*.proto` without a system `protoc`, and keeps the descriptor set for gRPC reflection.

use std::{env, fs, path::Path};

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=billwatch");
    let mut files: Vec<_> =
        fs::read_dir("billwatch/v1")?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.sort();
    let descriptors = protox::compile(files, ["."])?;
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".billwatch.v1").compile_fds(descriptors)?;
    Ok(())
}
