//! The upstream behind TLS, HTTP/1.1 or HTTP/2. It answers plain completions only, and need not be
//! cheap: the CPU of the proxy is what is measured.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer;
use super::asked::{Asked, Edges};
use super::documents;

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    Http1,
    Http2,
}

impl Version {
    /// As TLS and the command line spell it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }

    /// Reads the same.
    pub(crate) fn read(text: &str) -> Option<Self> {
        [Self::Http1, Self::Http2]
            .into_iter()
            .find(|version| version.as_str() == text)
    }
}

/// Where the certificate and its key are.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    /// In this directory.
    pub(crate) fn at(directory: &Path) -> Self {
        Self {
            certificate: directory.join("certificate.pem"),
            key: directory.join("key.pem"),
        }
    }

    /// Makes a self-signed one, for this machine.
    pub(crate) fn make(&self) -> Result<()> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("no certificate")?;
        fs::write(&self.certificate, made.cert.pem()).context("the certificate is not kept")?;
        fs::write(&self.key, made.signing_key.serialize_pem()).context("the key is not kept")
    }

    fn settings(&self, version: Version) -> Result<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        settings.alpn_protocols = vec![version.as_str().into()];
        Ok(settings)
    }
}

/// Everything it can answer.
struct Answers {
    documents: HashMap<&'static str, Bytes>,
    completion: Bytes,
}

/// Serves this address until the process ends.
pub(crate) fn serve(
    address: SocketAddr,
    version: Version,
    certificate: &Certificate,
) -> Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(certificate.settings(version)?));
    let answers = Arc::new(Answers {
        documents: documents::all()
            .map(|(path, body)| (path, Bytes::from(body.to_string())))
            .into(),
        completion: answer::completion().to_string().into(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("{address} is taken"))?;
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (socket, _) = accepted.context("no further connection")?;
                    connections.spawn(connection(socket, acceptor.clone(), version, Arc::clone(&answers)));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

/// Serves one connection to its end; how it ends is up to the proxy.
async fn connection(
    socket: TcpStream,
    acceptor: TlsAcceptor,
    version: Version,
    answers: Arc<Answers>,
) -> Result<()> {
    socket.set_nodelay(true)?;
    let io = TokioIo::new(acceptor.accept(socket).await?);
    let service = service_fn(|request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answered(request, &answers).await) }
    });
    match version {
        Version::Http1 => http1::Builder::new().serve_connection(io, service).await?,
        Version::Http2 => {
            let builder = http2::Builder::new(TokioExecutor::new());
            builder.serve_connection(io, service).await?;
        }
    }
    Ok(())
}

async fn answered(request: Request<Incoming>, answers: &Answers) -> Response<Full<Bytes>> {
    if request.method() == Method::GET {
        let document = answers.documents.get(request.uri().path());
        let mut response = json(document.cloned().unwrap_or_default());
        if document.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        return response;
    }
    let asked = match read(request.into_body()).await {
        Ok(asked) => asked,
        Err(_) => Asked::Limited,
    };
    let mut response = json(answers.completion.clone());
    match asked {
        Asked::Chat(script) if script.chunks > 0 => {
            *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
        }
        Asked::Chat(script) if script.close => {
            let close = hyper::header::HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        Asked::Chat(_) => {}
        Asked::Get(_) | Asked::Limited => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

async fn read(mut body: Incoming) -> Result<Asked> {
    let mut edges = Edges::default();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => edges.keep(&data),
            Err(_) => bail!("a body with trailers"),
        }
    }
    Ok(edges.chat())
}

fn json(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
