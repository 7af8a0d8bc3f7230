//! Nothing is written to the API server without the right to.

use std::task::{Context, Poll};

use axum::http::{Method, Request};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::client::Body;
use tower::{BoxError, Layer, Service};

use crate::arm::Fence;

/// Puts a fence before a client of the API server: reads pass, writes are guarded.
#[derive(Clone)]
pub(in crate::runtime) struct Fenced(pub(in crate::runtime) Fence);

impl<S> Layer<S> for Fenced {
    type Service = FencedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FencedService { inner, fence: self.0.clone() }
    }
}

/// The service behind the fence.
pub(in crate::runtime) struct FencedService<S> {
    inner: S,
    fence: Fence,
}

impl<S> Service<Request<Body>> for FencedService<S>
where
    S: Service<Request<Body>, Error: Into<BoxError>>,
    S::Future: Send + 'static,
    S::Response: Send,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let reads = request.method() == Method::GET;
        let answer = self.inner.call(request).map(|answer| answer.map_err(Into::into));
        if reads {
            return answer.boxed();
        }
        let fence = self.fence.clone();
        async move { fence.guard(answer).await? }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn passed(fence: Fence) -> Vec<String> {
        let count = Arc::new(AtomicUsize::new(0));
        let mut passed = Vec::new();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let counter = count.clone();
            let inner = tower::service_fn(move |_: Request<Body>| {
                let counter = counter.clone();
                async move {
                    counter.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, std::io::Error>(())
                }
            });
            let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
            let before = count.load(Ordering::Relaxed);
            let answer = Fenced(fence.clone()).layer(inner).call(request).await;
            assert_eq!(answer.is_ok(), count.load(Ordering::Relaxed) > before);
            if answer.is_ok() {
                passed.push(method.to_owned());
            }
        }
        passed
    }

    #[tokio::test]
    async fn who_does_not_lead_reads_and_writes_nothing() {
        assert_eq!(passed(Fence::unlimited()).await.len(), 5);
        assert_eq!(passed(Fence::closed()).await, ["GET"]);
    }
}
