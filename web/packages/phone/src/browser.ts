/** Parts of a browser that may be missing (old ones, insecure contexts), although TypeScript believes in them. */

/** As it may really be. */
type Perhaps<T> = { readonly [K in keyof T]?: T[K] | null };

const browser = (): Perhaps<Navigator> => globalThis.navigator;

export const webLocks = (): LockManager | undefined => browser().locks ?? undefined;
export const permissions = (): Permissions | undefined => browser().permissions ?? undefined;
export const mediaDevices = (): MediaDevices | undefined => browser().mediaDevices ?? undefined;
