//! A lab on loopback with a fresh state directory, to try clients and pages on:
//! `cargo run -p pumice-server --example lab -- 127.0.0.1:8000 [LIBRARY…]`. Prints the administrator's token.

use std::path::PathBuf;

use pumice_server::{App, Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let state = std::env::temp_dir().join(format!("pumice-lab-{}", std::process::id()));
    let mut config = Config::in_directory(&state);
    config.library = arguments.map(PathBuf::from).collect();
    config.private_callbacks = true;
    std::fs::create_dir_all(&state)?;
    let database = pumice_db::Database::open(&format!("sqlite:{}", state.join("lab.db").display())).await?;
    let app = App::new(config, database).await?;
    #[expect(clippy::print_stdout, reason = "it is what the example is for")]
    if let Some(token) = app.first_admin("admin").await? {
        println!("admin {token}");
    }
    let stopper = app.stopper();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopper.stop();
        }
    });
    app.serve(tokio::net::TcpListener::bind(address).await?).await;
    std::fs::remove_dir_all(state)?;
    Ok(())
}
