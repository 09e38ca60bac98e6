/** What /metrics says, on either engine: a node's name is left out. */
export async function metricsOf({ apiUrl }: { readonly apiUrl: string }): Promise<string> {
  const text = await (await fetch(`${apiUrl}/metrics`)).text();
  return text.replaceAll(/,node="[^"]*"\}/g, "}").replaceAll(/\{node="[^"]*"\}/g, "");
}
