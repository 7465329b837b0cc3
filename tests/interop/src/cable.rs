//! A TCP connection in two halves, which can be pulled apart between them.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Relays connections to one server.
#[derive(Debug)]
pub struct Cable {
    listener: JoinHandle<()>,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Cable {
    /// Listens at `here` and connects to `server` for everybody who comes.
    pub async fn lay(here: SocketAddr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind(here).await.unwrap();
        let connections: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let kept = Arc::clone(&connections);
        let listener = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let connection = tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        // How it ended is for the two ends to notice.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
                kept.lock().unwrap().push(connection);
            }
        });
        Self {
            listener,
            connections,
        }
    }

    /// Closes every connection, without a word in the protocol above. New ones are taken.
    pub fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            connection.abort();
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}
