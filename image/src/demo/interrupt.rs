//! Ctrl-C ends the demo at any moment, whatever it is waiting for.

use std::path::PathBuf;

use anyhow::Result;

/// From now on Ctrl-C and SIGTERM end this program and delete `folder`, if there is one to delete.
///
/// The boxes lose their power with it: the kernel kills a QEMU whose rack's program has gone.
pub fn watch(folder: Option<PathBuf>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = {
        let _inside = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    std::thread::Builder::new().name("interrupt".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        });
        if let Some(folder) = folder {
            // What stays is deleted by the next demo.
            _ = std::fs::remove_dir_all(folder);
        }
        eprintln!("\ninterrupted: both boxes lose their power");
        std::process::exit(INTERRUPTED);
    })?;
    Ok(())
}

/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
