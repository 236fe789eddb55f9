//! Nchan, the nginx module: its path and its configuration for the same users. It stores messages
//! in its own memory, checks no tokens and has no presence; measured only if installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

const MODULES: &[&str] = &[
    "/usr/lib/nginx/modules/ngx_nchan_module.so",
    "/usr/lib64/nginx/modules/ngx_nchan_module.so",
    "/usr/share/nginx/modules/ngx_nchan_module.so",
];

/// The module, if nginx is installed, too.
pub fn find() -> Option<PathBuf> {
    let module = MODULES.iter().map(PathBuf::from).find(|path| path.is_file())?;
    let version = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success()).then_some(module)
}

/// nginx with one worker and its files in `dir`.
pub fn command(module: &Path, dir: &Path, port: u16, sockets: usize) -> Result<Command> {
    let path = dir.join("nginx.conf");
    std::fs::write(&path, configuration(module, dir, port, sockets))?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(path);
    Ok(command)
}

/// The publisher's connection accepts unlimited requests; messages are stored only briefly, since
/// the other gateways store none.
fn configuration(module: &Path, dir: &Path, port: u16, sockets: usize) -> String {
    // Nchan counts a socket twice, the second time without an open file.
    let connections = 2 * sockets + 1000;
    let (module, dir) = (module.display(), dir.display());
    format!(
        r#"load_module {module};
daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {dir}/nginx-body;
  keepalive_requests 1000000000;
  nchan_shared_memory_size 512M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location ~ ^/pub/(.+)$ {{
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_timeout 5s;
    }}
    location ~ ^/ws/(.+)$ {{
      nchan_subscriber websocket;
      nchan_channel_id $1;
      nchan_websocket_ping_interval 25;
    }}
  }}
}}
"#
    )
}
