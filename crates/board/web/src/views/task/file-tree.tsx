/** The files of a patch by folder, with how much has changed in each. */

import type { PatchFile } from "../../diff/parse";
import { madeVisible } from "../../diff/visible";
import { LineCounts } from "../../ui/basics";
import { counted } from "../../ui/words";

/** The most files that are listed. */
const LISTED_MAX = 500;

/** A folder with the files in it. */
interface Folder {
  name: string;
  files: { file: PatchFile; index: number }[];
}

/** The folders, in the order in which the patch has them. */
function foldersOf(files: readonly PatchFile[]): Folder[] {
  const folders = new Map<string, Folder>();
  files.slice(0, LISTED_MAX).forEach((file, index) => {
    const name = file.path.slice(0, Math.max(0, file.path.lastIndexOf("/")));
    const folder = folders.get(name) ?? { name, files: [] };
    folder.files.push({ file, index });
    folders.set(name, folder);
  });
  return [...folders.values()];
}

/** Shows the tree. `onChoose` is called with the number of a file. */
export function FileTree(props: { files: PatchFile[]; onChoose: (index: number) => void }) {
  const { files, onChoose } = props;
  if (files.length < 2) return null;
  return (
    <nav class="tree" aria-label={counted(files.length, "file")}>
      <ul class="plain">
        {foldersOf(files).map((folder) => (
          <li key={folder.name}>
            <span class="tree-folder dim">{madeVisible(folder.name || ".")}/</span>
            <ul class="plain">
              {folder.files.map(({ file, index }) => (
                <li key={index}>
                  <TreeFile file={file} onChoose={() => onChoose(index)} />
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      {files.length > LISTED_MAX && <p class="dim">and {files.length - LISTED_MAX} more</p>}
    </nav>
  );
}

function TreeFile({ file, onChoose }: { file: PatchFile; onChoose: () => void }) {
  const name = madeVisible(file.path.slice(file.path.lastIndexOf("/") + 1));
  return (
    <button type="button" class="tree-file" onClick={onChoose} title={madeVisible(file.path)}>
      <span class="tree-name">{name}</span>
      <span class="tree-counts">
        <LineCounts insertions={file.insertions} deletions={file.deletions} />
        {file.isBinary && <span class="dim">bin</span>}
      </span>
    </button>
  );
}
