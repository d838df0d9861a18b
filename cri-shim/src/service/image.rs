//! ImageService.

use image_store::Interrupt;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

use super::threads::Pace;
use super::{Service, deadline};
use crate::api::image_service_server::ImageService;
use crate::api::{
    ImageFsInfoRequest, ImageFsInfoResponse, ImageStatusRequest, ImageStatusResponse,
    ListImagesRequest, ListImagesResponse, PullImageRequest, PullImageResponse, RemoveImageRequest,
    RemoveImageResponse, StreamImagesRequest, StreamImagesResponse,
};
use crate::image;

#[tonic::async_trait]
impl ImageService for Service {
    async fn list_images(
        &self,
        request: Request<ListImagesRequest>,
    ) -> Result<Response<ListImagesResponse>, Status> {
        self.call(Pace::Brief, request, image::list).await
    }

    async fn stream_images(
        &self,
        request: Request<StreamImagesRequest>,
    ) -> Result<Response<BoxStream<StreamImagesResponse>>, Status> {
        let request = request.map(|StreamImagesRequest { filter }| ListImagesRequest { filter });
        let listed = |shim: &_, request| Ok(image::list(shim, request)?.images);
        self.list(request, listed, |images| StreamImagesResponse { images })
            .await
    }

    async fn image_status(
        &self,
        request: Request<ImageStatusRequest>,
    ) -> Result<Response<ImageStatusResponse>, Status> {
        self.call(Pace::Brief, request, image::status).await
    }

    async fn pull_image(
        &self,
        request: Request<PullImageRequest>,
    ) -> Result<Response<PullImageResponse>, Status> {
        let limit = deadline::of(request.metadata());
        let name = request.get_ref().image.as_ref().map(|spec| &*spec.image);
        let what = format!("pulling {}", name.unwrap_or_default());
        let interrupt = Interrupt::default();
        let stopped = interrupt.clone();
        let work = self.change(Pace::Pull, request, move |shim, request| {
            image::pull(shim, request, &stopped)
        });
        deadline::within(limit, what, interrupt, work).await
    }

    async fn remove_image(
        &self,
        request: Request<RemoveImageRequest>,
    ) -> Result<Response<RemoveImageResponse>, Status> {
        self.change(Pace::Slow, request, image::remove).await
    }

    async fn image_fs_info(
        &self,
        request: Request<ImageFsInfoRequest>,
    ) -> Result<Response<ImageFsInfoResponse>, Status> {
        self.call(Pace::Brief, request, image::info).await
    }
}
