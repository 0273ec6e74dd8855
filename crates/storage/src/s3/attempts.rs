//! What is logged of requests that are tried again.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use tracing::{debug, info};

/// Looks at the end of each attempt of a request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    throttled: AtomicU64,
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if matches!(context.output_or_error(), Some(Ok(_))) {
            return Ok(());
        }
        let request = context.request();
        let method = request.map(|request| request.method());
        // Without its query, which can hold credentials.
        let address = request.map(|request| request.uri());
        let path = address.and_then(|uri| uri.split('?').next());
        let status = context.response().map(|answer| answer.status().as_u16());
        match status {
            Some(status @ (429 | 503)) => {
                debug!(method, path, status, "S3 asks to slow down");
                let throttled = self.throttled.fetch_add(1, Ordering::Relaxed) + 1;
                // The first, then ever fewer: a storm has thousands.
                if throttled.is_power_of_two() {
                    info!(requests = throttled, status, "throttled by S3");
                }
            }
            // What is not there, or not changed, is asked for on purpose.
            Some(404 | 412 | 416) => {}
            Some(status) => debug!(method, path, status, "a request failed"),
            None => debug!(method, path, "a request had no answer"),
        }
        Ok(())
    }
}
