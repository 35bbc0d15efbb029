/** What went wrong with a call, in the words of the service (RFC 9457) or, if there are none, in ours. */
export class Problem extends Error {
  constructor({ title, detail, type = "", status = 0, modelVersion = null }) {
    super(detail || title);
    this.title = title;
    this.detail = detail;
    this.type = type;
    this.status = status;
    this.modelVersion = modelVersion;
  }

  /** Whether the service itself asks for a key; a proxy's own 401 is the browser's business. */
  get isForWantOfAKey() {
    return this.status === 401 && this.type === "urn:macrid:problem:unauthorized";
  }

  static unreachable() {
    return new Problem({ title: "The service does not answer", detail: "Check that it is running, then try again." });
  }

  /** Reads the problem+json of a failed response; tolerates a body that is none. */
  static async fromResponse(response) {
    const body = await response.json().catch(() => ({}));
    return new Problem({
      title: body.title || `The service answered ${response.status}`,
      detail: typeof body.detail === "string" ? body.detail : "",
      type: typeof body.type === "string" ? body.type : "",
      status: response.status,
      modelVersion: body.model_version ?? null,
    });
  }
}
