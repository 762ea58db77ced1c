//! What a server that nobody asks for anything holds in memory, in a process of its own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use spine::cli::NodeSettings;

use crate::place::{Kind, Place, node};

/// Names the folder to the child.
const FOLDER: &str = "SPINE_BENCH_IDLE_FOLDER";
/// Names the keys to the child, one for each scope that is to be open.
const KEYS: &str = "SPINE_BENCH_IDLE_KEYS";
/// Open scopes besides the first.
const FURTHER: usize = 16;

/// Whether this process is only there to be measured.
pub(crate) fn is_child() -> bool {
    std::env::var_os(FOLDER).is_some()
}

/// Opens the scopes of the keys, becomes quiet, and prints what it holds in kB.
pub(crate) fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let keys = std::env::var(KEYS).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let node = node(NodeSettings::on_loopback(&folder)).await;
        for key in keys.split(',').filter(|key| !key.is_empty()) {
            let mut client = crate::client::Client::connect(node.address(), key).await;
            let (status, _) = client.send("GET", "/messages?limit=1", "x", b"").await;
            assert_eq!(status, 200);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        println!("{}", resident_kb());
        node.stop().await.unwrap();
    });
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

/// Measures and prints.
pub(crate) fn print() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let place = runtime.block_on(Place::make(Kind::Sqlite, 1 + FURTHER));
    let mut held = Vec::new();
    for open in [1, 1 + FURTHER] {
        let keys: Vec<_> = place.scopes[..open].iter().map(|scope| scope.key.clone()).collect();
        let child = Command::new(std::env::current_exe().unwrap())
            .env(FOLDER, place.data())
            .env(KEYS, keys.join(","))
            .output()
            .unwrap();
        held.push(String::from_utf8_lossy(&child.stdout).trim().parse::<f64>().unwrap() / 1_024.0);
    }
    let further = (held[1] - held[0]) / FURTHER as f64;
    println!("\nidle: {:.1} MB resident with one scope open, {further:.2} MB for each further one", held[0]);
}
