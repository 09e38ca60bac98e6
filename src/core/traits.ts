// What is true of a vendor whoever's apps are configured. Its dialect says it, in plain values: the storage thread has them too.
import type { ArrivalEvidence } from "./arrival.ts";
import type { Token } from "./device.ts";
import type { VendorName } from "./vendor.ts";

export interface VendorTraits {
  readonly name: VendorName;
  /** The token types (core/device.ts) it serves. */
  readonly tokenTypes: readonly string[];
  /** Its name in the statistics and counters, which follow the first SDKs: `target_apn`. Absent: `name`. */
  readonly statistics?: string;
  /** Nothing more comes in for what it accepted: that is all that is known, and what the contract calls arrived. */
  readonly tellsNoArrival?: true;
  /** Its SDK keeps a connection to us beside the token, and is reached both ways. */
  readonly alsoConnected?: true;
  /** The part of a notification that its devices show; absent: `android`, whose title it takes. */
  readonly shows?: "apn";
  /** It says since when a token is dead, so the store notes when a device last brought it. */
  readonly datesDeaths?: true;
  /** Characters that SDKs leave in tokens of the first of its types. */
  readonly noise?: RegExp;
  /** Its tokens are hexadecimal: in capitals and in small letters it is the same one. */
  readonly hexadecimal?: true;
  /** The device's type once its token is dead; null: none; absent: "androidNoToken". */
  readonly typeAfterDeath?: string | null;
}

export class Traits {
  readonly #byName: ReadonlyMap<VendorName, VendorTraits>;
  readonly #byType: ReadonlyMap<string, VendorTraits>;
  readonly #clicks: ReadonlyMap<unknown, ArrivalEvidence>;
  readonly #counters = new Map<string, readonly string[]>();

  constructor(vendors: readonly VendorTraits[]) {
    this.#byName = new Map(vendors.map((vendor) => [vendor.name, vendor]));
    this.#byType = new Map(vendors.flatMap((vendor) => vendor.tokenTypes.map((type) => [type, vendor] as const)));
    this.#clicks = new Map(
      [...this.#byType].flatMap(([type, { alsoConnected, name }]) =>
        alsoConnected === true ? [] : [[type, `click_${this.statisticsName(name)}`] as const],
      ),
    );
  }

  /** The vendor in the statistics' keys. */
  statisticsName(vendor: VendorName): string {
    return this.#byName.get(vendor)?.statistics ?? vendor;
  }

  /** Whether something may still come in for a delivery that the vendor has accepted. */
  tellsOfArrival(vendor: VendorName): boolean {
    return this.#byName.get(vendor)?.tellsNoArrival !== true;
  }

  /** The arrival statistics that go up by one; the same array each time. */
  counters(vendor: VendorName, event: "accepted" | "failed"): readonly string[] {
    const key = `${event} ${vendor}`;
    let names = this.#counters.get(key);
    if (names === undefined) {
      const name = this.statisticsName(vendor);
      const arrives = event === "accepted" && !this.tellsOfArrival(vendor);
      names = arrives ? [`accepted_${name}`, `arrive_${name}`] : [`${event}_${name}`];
      this.#counters.set(key, names);
    }
    return names;
  }

  /** What a notification without it lacks to be shown at this vendor's devices. */
  shows(vendor: VendorName): "apn" | "title" {
    return this.#byName.get(vendor)?.shows ?? "title";
  }

  /** Whether a device with a token of this type keeps a connection too. */
  alsoConnected(type: string | undefined): boolean {
    return type !== undefined && this.#byType.get(type)?.alsoConnected === true;
  }

  /**
   * The counter for a click on what came by this type of token. That of an SDK which is connected too counts with the connection,
   * and so does what nobody knows: each counter is a row for as long as the statistics are kept, so a client may not invent any.
   */
  clickCounter(type: unknown): ArrivalEvidence {
    return this.#clicks.get(type) ?? "click_android";
  }

  /** Whether the vendor of this type of token tells since when one is dead. */
  datesDeaths(type: string): boolean {
    return this.#byType.get(type)?.datesDeaths === true;
  }

  /** The token without its SDK's noise, as it is compared with others; undefined: nothing is left of it. */
  clean(token: Token): Token | undefined {
    const vendor = this.#byType.get(token.type);
    const noisy = vendor?.noise !== undefined && vendor.tokenTypes[0] === token.type;
    // No vendor's token begins or ends with white space; one in a list of tokens would be taken for none.
    const quiet = (noisy ? token.token.replace(vendor.noise, "") : token.token).trim();
    const text = vendor?.hexadecimal === true ? quiet.toLowerCase() : quiet;
    return text === "" ? undefined : { ...token, token: text };
  }

  /** What a device's type is when its token of this type is dead; null: none. */
  typeAfter(type: string): string | null {
    const after = this.#byType.get(type)?.typeAfterDeath;
    return after === undefined ? "androidNoToken" : after;
  }
}

/** Of no vendor that differs from the others. */
export const PLAIN = new Traits([]);
