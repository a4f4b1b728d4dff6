//! What writing costs: stages 1 GiB in frames of one size, and prints CPU seconds per GiB before and with the commit.
//!
//! `cargo run --release -p railhead-blobs --example write -- [FRAME_KIB]`, in the directory whose disk is meant.

use railhead_blobs::{FileStore, StageId, Store};
use railhead_oci::Digest;
use rustix::time::{ClockId, clock_gettime};

const GIB: usize = 1 << 30;

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[expect(clippy::print_stdout, reason = "what the caller reads")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let frame = std::env::args().nth(1).map_or(Ok(16), |text| text.parse::<usize>())? * 1024;
    let data = tempfile::tempdir_in(".")?;
    let store = Store::Files(FileStore::open(data.path())?);
    let id = StageId::from_bytes([0; 16]);
    let state = store.stage(&id).await?;
    let mut writer = store.open(&id, &state, 0).await?;
    let bytes = bytes::Bytes::from(vec![7; frame]);
    let start = cpu();
    for _ in 0..GIB / frame {
        writer.write(bytes.clone()).await?;
    }
    let written = cpu() - start;
    writer.commit(&Digest::sha256(b"")).await?;
    println!("{} KiB frames: {written:.2} s/GiB written, {:.2} s/GiB committed", frame / 1024, cpu() - start);
    Ok(())
}
