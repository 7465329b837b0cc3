//! Debian's rtpengine, in user space: carries media between WebRTC and plain RTP.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::program::{Folder, Program};
use crate::{eventually, own_address};

const COMMAND_PORT: u16 = 27_223;

/// A running rtpengine.
#[derive(Debug)]
pub struct Rtpengine {
    address: Ipv4Addr,
    program: Program,
    _folder: Folder,
}

impl Rtpengine {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let address = own_address();
        let folder = Folder::new();
        let program = Program::start("rtpengine", folder.path(), |command| {
            // Without Debian's settings, and without the table of its kernel module.
            command.args([
                "--config-file=none",
                "--foreground",
                "--table=-1",
                "--log-stderr",
                "--log-level=5",
            ]);
            command.arg(format!("--interface={address}"));
            command.arg(format!("--listen-ng={address}:{COMMAND_PORT}"));
            command.args(["--port-min=30000", "--port-max=30999", "--num-threads=2"]);
        });
        let mut rtpengine = Self {
            address,
            program,
            _folder: folder,
        };
        rtpengine.answers().await;
        rtpengine
    }

    /// Where it takes commands.
    pub fn commands(&self) -> SocketAddr {
        (self.address, COMMAND_PORT).into()
    }

    async fn answers(&mut self) {
        let socket = UdpSocket::bind((self.address, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (there, program) = (self.commands(), &mut self.program);
        eventually(10, "rtpengine answers", || {
            assert!(program.ended().is_none(), "rtpengine ended");
            // Refused until it listens.
            let _ = socket.send_to(b"1 d7:command4:pinge", there);
            socket.recv(&mut [0; 64]).is_ok()
        })
        .await;
    }
}
