//! conversation ADDRESS OWNER REPO RUN, RUN being a CI system's name for its build; the token is SHIPLIFT_TOKEN.
use shiplift_stubs::v1::{build_service_client::BuildServiceClient, *};
use std::{env, error::Error, future::Future, time::Duration};
use tonic::{metadata::AsciiMetadataValue, transport::Endpoint, Code, Request, Status};
use tonic_health::pb::{health_client::HealthClient, HealthCheckRequest};
use tonic_types::StatusExt;

async fn retried<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    for wait in [200, 400, 800, 1600] {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(Duration::from_millis(wait)).await,
            answer => return answer,
        }
    }
    call().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [address, owner, repo, run] = <[String; 4]>::try_from(words).expect("ADDRESS OWNER REPO RUN");
    let (owner, repo, run) = (|| owner.clone(), || repo.clone(), || run.clone());
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect_lazy();
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await?;
    println!("health: {}", health.get_ref().status().as_str_name());
    let bearer: AsciiMetadataValue = format!("Bearer {}", env::var("SHIPLIFT_TOKEN")?).parse()?;
    let mut builds = BuildServiceClient::with_interceptor(channel, |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        request.set_timeout(Duration::from_secs(20));
        Ok(request)
    });
    let after = "9fc1ad6ebf12462f3f9773003e26b4c6f54a772e".into();
    let recording = CreateBuildRequest { owner: owner(), repo: repo(), external_id: run(), after, ..Default::default() };
    let build = builds.create_build(recording).await?.get_ref().number;
    let target = "production".into();
    let promotion = PromoteRequest { owner: owner(), repo: repo(), build, target, request_id: run(), ..Default::default() };
    for _ in 0..2 { // The request_id makes it safe to repeat.
        let answer = retried(|| async { builds.clone().promote_build(promotion.clone()).await }).await?;
        let replayed = answer.metadata().contains_key("shiplift-replayed");
        println!("promoted as {} replayed: {replayed}", answer.get_ref().number);
    }
    let unknown = GetBuildRequest { owner: owner(), repo: repo(), build: 4000, ..Default::default() };
    let refusal = builds.get_build(unknown).await.unwrap_err();
    println!("refused: {}", refusal.get_details_error_info().ok_or("no details")?.reason);
    let mut listing = ListBuildsRequest { owner: owner(), repo: repo(), page_size: 1, ..Default::default() };
    listing.environment = "staging".into();
    let mut page = builds.list_builds(listing.clone()).await?.into_inner();
    while !page.next_page_token.is_empty() {
        listing.page_token = page.next_page_token;
        page = builds.list_builds(listing.clone()).await?.into_inner();
    }
    let build = page.builds[0].number;
    let tail = TailLogRequest { owner: owner(), repo: repo(), build, stage: 1, step: 1, ..Default::default() };
    let mut log = builds.tail_log(tail).await?.into_inner();
    while let Some(some) = log.message().await? {
        some.lines.iter().for_each(|line| print!("{}", line.text));
    }
    Ok(())
}
