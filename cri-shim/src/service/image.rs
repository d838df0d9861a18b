//! ImageService.

use super::Service;
use crate::api::image_service_server::ImageService;

#[tonic::async_trait]
impl ImageService for Service {}
