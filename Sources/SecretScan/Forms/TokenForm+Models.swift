extension TokenForm {
  /// Language models and what goes with them.
  static let models: [TokenForm] = [
    TokenForm("sk-ant-", .anthropicKey, .base64URL, .from(20), "https://docs.claude.com/en/api/overview"),
    TokenForm("sk-proj-", .openAIKey, .base64URL, .from(20), "https://platform.openai.com/docs/api-reference/authentication"),
    TokenForm("sk-svcacct-", .openAIKey, .base64URL, .from(20), "https://platform.openai.com/docs/api-reference/authentication"),
    TokenForm("sk-service-", .openAIKey, .base64URL, .from(20), FormSource.trufflehog),
    TokenForm("sk-admin-", .openAIKey, .base64URL, .from(20), "https://platform.openai.com/docs/api-reference/authentication"),
    TokenForm("sk-", .openAIKey, .base64URL, .from(20), "https://platform.openai.com/docs/api-reference/authentication", .ambiguous),
    TokenForm(
      "T3BlbkFJ", .openAIKey, lead: [.literal("sk-"), .run(.alphanumeric, 20)], tail: [.run(.alphanumeric, 20)],
      FormSource.gitleaks),
    TokenForm("sk-or-v1-", .openAIKey, .hexadecimal, 64, "https://openrouter.ai/docs/api-reference/authentication"),
    TokenForm("sk-lf-", "langfuse-key", tail: [.uuid], "https://langfuse.com/docs/api-and-data-platform/features/public-api"),
    TokenForm("hf_", .vendorToken, .alphanumeric, .from(30), "https://huggingface.co/docs/hub/security-tokens", .ambiguous),
    TokenForm("api_org_", "huggingface-token", .alphanumeric, 34, "https://huggingface.co/docs/hub/security-tokens"),
    TokenForm("gsk_", .vendorToken, .alphanumeric, .from(32), "https://console.groq.com/docs/quickstart"),
    TokenForm("pplx-", .vendorToken, .alphanumeric, .from(32), "https://docs.perplexity.ai/getting-started/quickstart"),
    TokenForm("r8_", .vendorToken, .alphanumeric, .from(32), "https://replicate.com/docs/topics/security/api-tokens"),
    TokenForm("xai-", .vendorToken, .alphanumeric, .from(40), "https://docs.x.ai/docs/tutorial"),
    TokenForm("tvly-", .vendorToken, .base64URL, .from(24), "https://docs.tavily.com/documentation/api-reference/introduction"),
    TokenForm("lsv2_pt_", .vendorToken, .word, .from(32), "https://docs.langchain.com/langsmith/create-account-api-key"),
    TokenForm("lsv2_sk_", .vendorToken, .word, .from(32), "https://docs.langchain.com/langsmith/create-account-api-key"),
    TokenForm("nvapi-", "nvidia-key", .base64URL, .from(60), FormSource.trufflehog),
    TokenForm("sk_", "elevenlabs-key", .hexadecimal, 48, FormSource.trufflehog, .wholeOnly),
    TokenForm("fw_", "fireworks-key", .alphanumeric, .within(22...32), FormSource.github, .ambiguous),
    TokenForm("tgp_v1_", "together-key", .base64URL, .within(40...48), FormSource.github),
    TokenForm("jina_", "jina-key", .base64URL, .within(56...68), "https://jina.ai/embeddings/", .ambiguous),
    TokenForm("csk-", "cerebras-key", .alphanumeric, .within(40...56), "https://inference-docs.cerebras.ai/quickstart", .ambiguous),
    TokenForm("rpa_", "runpod-key", .alphanumeric, .within(40...52), FormSource.github, .ambiguous),
    TokenForm("e2b_", "e2b-key", .hexadecimal, .within(36...48), "https://e2b.dev/docs/api-key"),
  ]
}
